"""One file a job: batches, loss and metric."""
