"""Print where the service of a configuration answers on this machine, as host:port."""

import sys
from pathlib import Path

from ghostrouter.config import ServeFile

if __name__ == "__main__":
    options = ServeFile.load(Path(sys.argv[1]))
    host = "127.0.0.1" if options.host == "0.0.0.0" else options.host  # noqa: S104 - that is what is not printed
    print(f"{host}:{options.port}")
