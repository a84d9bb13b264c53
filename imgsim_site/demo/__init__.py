"""The whole site on one machine, in the foreground: what `make demo` shows. Not for deployment."""
