"""One verb of the command line a module, imported only when it is called."""
