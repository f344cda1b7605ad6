"""One use case a module; pages, API and command line call these and nothing below them."""
