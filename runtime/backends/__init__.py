"""One runner per inference engine, all behind the interface of `base`."""
