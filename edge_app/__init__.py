"""The application: command line, settings, HTTP server and web page."""
