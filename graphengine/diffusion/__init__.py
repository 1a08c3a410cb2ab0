"""The torch layer: everything that touches a tensor. Imports sockets and errors only."""
