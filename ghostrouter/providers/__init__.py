"""Models of cloud providers: how requests are written and how the streamed events are read. No I/O."""
