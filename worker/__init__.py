"""The worker: a Celery app whose tasks execute units.

``app`` is what ``celery -A worker.app worker`` loads, ``tasks`` what a message calls, ``desk``
what a pool process works with, ``crew`` what the main process knows of its pool processes, and
``janitor`` the thread of the main process that beats, reaps, feeds and publishes.
"""
