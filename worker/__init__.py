"""The worker: a Celery app whose tasks execute units."""
