"""What private text looks like, kind by kind. Each module has a table of `SHAPES`."""
