"""The health store: schema, writer, reader, self-repair."""
