"""Shared by all tests; its place also makes ``worlds`` importable from every folder below."""
