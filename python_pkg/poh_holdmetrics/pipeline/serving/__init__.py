"""All pipelines of a process: started, reloaded, steered and stopped."""
