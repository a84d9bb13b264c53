"""A real worker, a real broker, real files: what is imported is embedded without the command that imported it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pictures import jpeg_bytes

ROOT = Path(__file__).resolve().parents[2]
