"""The service in Python alone: `grpc_server` and `http_server` answer as the binary does, from memory."""
