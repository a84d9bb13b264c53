"""What pages say in the language of who reads them, where neither a template nor a form says it."""
