"""What a developer runs on the repository: scaffold, generated documents, benchmarks."""
