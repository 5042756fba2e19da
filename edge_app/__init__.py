"""The application: command line, settings, HTTP server and web page."""

import os

# Before NumPy is first imported, which reads this then. Our products are of matrices with one vector, as fast
# as memory is: a second thread adds nothing, and on a busy machine the first waits for it (30 times as long
# was seen).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
