"""The Cassandra model layer: tables as typed models, schema, prepared operations."""
