"""Write postgresql.conf for the size of the machine. Larger installations bring their own server and DATABASE_URL."""

from pathlib import Path

from embeddings.cores import available_cores
from imgsim_site.embedded import machine

MB = 1024 * 1024


def conf_text(socket_folder: Path) -> str:
    """Return the text of postgresql.conf for this machine, with the sockets in `socket_folder`."""
    lines = [f"{name} = {_quoted(setting)}" for name, setting in _settings(socket_folder).items()]
    return "# Written at every start. Lasting changes: ALTER SYSTEM, or a server of your own and DATABASE_URL.\n" + (
        "\n".join(lines) + "\n"
    )


def _settings(socket_folder: Path) -> dict[str, str]:
    return {
        "listen_addresses": "",
        "unix_socket_directories": str(socket_folder).replace(",", "\\,"),
        "unix_socket_permissions": "0700",
        "max_connections": "60",
        **_memory_settings(machine.memory_bytes() // MB, machine.shared_memory_bytes() // MB),
        **_worker_settings(available_cores()),
        "jit": "off",
        "random_page_cost": "1.1",
        "synchronous_commit": "on",
        "wal_compression": "on",
        "max_wal_size": "2GB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
    }


def _memory_settings(memory_mb: int, shared_memory_mb: int) -> dict[str, str]:
    """HNSW is built in maintenance_work_mem, and a parallel build keeps all of it in dynamic shared memory."""
    maintenance_mb = min(max(memory_mb // 16, 64), 1024)
    fits_shared_memory = shared_memory_mb >= maintenance_mb + 256
    return {
        "shared_buffers": f"{min(max(memory_mb // 4, 128), 8192)}MB",
        "effective_cache_size": f"{max(memory_mb // 2, 256)}MB",
        "maintenance_work_mem": f"{maintenance_mb}MB",
        "work_mem": "32MB",
        "dynamic_shared_memory_type": "posix" if fits_shared_memory else "mmap",
    }


def _worker_settings(cores: int) -> dict[str, str]:
    return {
        "max_worker_processes": str(max(8, cores + 4)),
        "max_parallel_workers": str(max(cores, 1)),
        "max_parallel_maintenance_workers": str(max(cores, 1)),
    }


def _quoted(setting: str) -> str:
    return "'" + setting.replace("'", "''") + "'"
