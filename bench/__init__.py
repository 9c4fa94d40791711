"""Benchmarks of the service and of its peers."""
