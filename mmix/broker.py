"""The Celery application and its queue names. A message is a doorbell: it carries a run's id and nothing else."""

from uuid import UUID

from celery import Celery

from mmix.settings import Settings

CONDUCT = "mmix.conduct"
"""The one task: look at this run."""


def queue_name(device: str, *, devices: int) -> str:
    """The Celery queue of the runs that ask for this kind of device and this many of them."""
    return f"runs.{device}.{devices}"


def own_queue(worker_id: UUID) -> str:
    """The Celery queue of one worker, for runs whose data lie there and not everywhere."""
    return f"at.{worker_id.hex}"


def application(settings: Settings, *, socket_timeout_seconds: float = 10) -> Celery:
    """The Celery application, configured so that losing, doubling or delaying a message costs nothing."""
    app = Celery("mmix", broker=settings.broker_url(), set_as_current=False)
    app.conf.update(
        task_acks_late=False,  # a message is a hint: nothing stays unacknowledged for hours
        worker_disable_prefetch=True,  # else a busy worker hoards hints that others could follow
        worker_prefetch_multiplier=1,
        worker_pool="prefork",  # the children only supervise trainers, one run each
        worker_proc_alive_timeout=60,
        task_ignore_result=True,  # results live in PostgreSQL
        result_backend=None,
        task_serializer="json",
        accept_content=["json"],  # never pickle
        result_accept_content=["json"],
        task_time_limit=None,  # a hard limit would orphan the trainer; max_runtime_seconds does it properly
        task_soft_time_limit=None,
        task_reject_on_worker_lost=False,  # the reaper does it, with a bound
        task_publish_retry=False,  # the dispatcher tries again by itself; nothing blocks in secret
        task_create_missing_queues=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # a blip of Redis must not stop a training
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        broker_transport_options={
            "socket_timeout": socket_timeout_seconds,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 10,
            "global_keyprefix": "mmix:",
            "visibility_timeout": 3600,
        },
    )
    return app
