"""What a developer runs on the repository: the scaffold, the generated documents, the benchmarks."""
