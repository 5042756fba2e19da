"""A language model of the local network as a writer of drafts: asked, re-validated, each sentence checked."""
