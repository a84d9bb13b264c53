"""Pictures and arrays in, arrays out: no rows, no SQL, no queue, no web framework."""
