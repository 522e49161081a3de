"""How loud a recording's channels are, and what of that changes the worth of its tags."""

import numpy as np

DEAD = 1e-4  # of the loudest channel's power: hiss or crosstalk, 40 dB below it
CANCELLED = 1e-2  # of the channels' mean power: what is left of it in their mean, 20 dB below
INTEGERS = 16.0  # floating-point masters overshoot full scale by a few times, not by 24 dB


class Levels:
    """Sums over a recording's samples, taken block by block.

    Attributes
    ----------
    peak : float
        The largest magnitude, where 1 is full scale.
    """

    def __init__(self) -> None:
        self.peak, self._sums = 0.0, {}

    def take(self, samples: np.ndarray, mono: np.ndarray) -> None:
        """Count samples (n,channels) and their mean (n,)."""
        self.peak = max(self.peak, float(np.abs(samples).max(initial=0)))
        squares = np.append(np.einsum("nc,nc->c", samples, samples), mono @ mono)
        # Blocks of other channels are of another part of the file.
        count = samples.shape[1]
        self._sums[count] = self._sums.get(count, 0) + squares.astype(np.float64)

    def remarks(self) -> list[str]:
        """What is odd, each a clause with the file as its subject."""
        said = []
        if self.peak >= INTEGERS:
            said.append(
                f"holds samples up to {self.peak:.6g}, where 1 is full scale: the taggers hear it "
                f"{20 * np.log10(self.peak):.0f} dB too loud; divide by what full scale is in it"
            )
        for count, sums in self._sums.items():
            said += _of_channels(count, sums[:-1], sums[-1])
        return said


def _of_channels(count, powers, of_mean):
    loudest = powers.max()
    dead = [str(number) for number, power in enumerate(powers, 1) if power <= DEAD * loudest]
    if not loudest or count == 1:
        return
    if dead:
        lower_db = 20 * np.log10(count / (count - len(dead)))
        yield (
            f"has {count} channels, of which {', '.join(dead)} {'is' if len(dead) == 1 else 'are'} "
            f"all but silent: their mean, which is tagged, is {lower_db:.1f} dB quieter than the "
            "music; give the others alone"
        )
    elif of_mean <= CANCELLED * powers.mean():
        left_db = 10 * np.log10(max(of_mean / powers.mean(), 1e-20))
        yield (
            f"has {count} channels that nearly cancel: their mean, which is tagged, is "
            f"{-left_db:.0f} dB below them; give one channel alone"
        )
