"""Parameter files on disk; the package's own where none is named."""

from pathlib import Path

from convexfx_core.assets import Registry
from convexfx_core.errors import ConfigurationCode, ConfigurationError
from convexfx_core.parameter_file import DEMO, ParameterFile, packaged
from convexfx_core.params import Params


def read_parameters(path: Path | None, registry: Registry) -> Params:
    """Parameters of the registry's assets from a file; ``None``: the demo parameters.

    Raises
    ------
    ConfigurationError
        ``SETTING`` if the file cannot be read, ``PARAMS`` if an entry of it is wrong.
    """
    return (packaged(DEMO) if path is None else read_parameter_file(path)).params(registry)


def read_parameter_file(path: Path) -> ParameterFile:
    """A parameter file; errors as :func:`read_parameters`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            ConfigurationCode.SETTING, "parameters", "a readable file", f"{path}: {error.strerror}"
        ) from None
    return ParameterFile.from_json(data)


def write_parameters(path: Path, parameters: ParameterFile) -> None:
    """Write a parameter file; its folder is made when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(parameters.to_json())
