"""Work that outlives a request: an append-only log of events for each job, and who may stop it."""
