"""The Docker engine, the images built with it, and the changes that it makes to the host."""
