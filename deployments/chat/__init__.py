"""Chat: the deployment, and the engines it can run."""
