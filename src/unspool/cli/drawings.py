"""What `unspool sample` does with a run that draws images."""

from pathlib import Path

from ..tasks.draw.decode import text_art
from ..tasks.draw.run import DrawRun
from . import console

DIGITS = 4  # of a pixel in JSON


def show(
    run: DrawRun,
    count: int,
    condition: str | None,
    seed: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Draw images: into the file `plot`, as JSON with a line an image, or as text."""
    drawn = run.sample(count, condition, seed)
    if plot is not None:
        run.plot(plot, drawn)
    if as_json:
        for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels, strict=True)):
            grey = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
            rows = grey.astype(float).round(DIGITS).tolist()
            named = {} if label is None else {"condition": label}
            console.print_json(
                {**named, "pixels": rows, "seed": seed, "number": number, "run": str(run.path)}
            )
    elif plot is None:
        print(text_art(drawn.pixels))
