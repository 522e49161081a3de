"""The pages that the browser is shown: every kind of run, with companions, compared, and long."""

from random import Random

from parity.reports import compared, compared_text, html
from parity.reports.small_charts import BINS
from tests.reports import companions_factory, factory

# What has the keyboard's focus: the layer of a row or a card, else an id.
FOCUSED = "document.activeElement.closest('[data-find]')?.dataset.find ?? document.activeElement.id"


def companioned():
    """A failing run with everything beside it."""
    return html.page(factory.failing(), **companions_factory.all_three())


def audited():
    """One failing model with everything beside it: every kind of section and card, few of each."""
    run = factory.failing()
    return html.page({**run, "models": run["models"][:1]}, **companions_factory.all_three())


def clean():
    """One model that holds, with all the evidence there is and everything beside it."""
    run = factory.clean_with_everything()
    return html.page({**run, "models": run["models"][:1]}, **companions_factory.all_three())


def stand_ins():
    """One model on seeded stand-ins."""
    return html.page(factory.document([factory.model("CNN", data="seeded")], data="seeded"))


def comparison():
    """A clean run and a failing one."""
    return compared_text.page(compared.compare(factory.document(), factory.failing()))


def many_layers():
    """One model of 200 layers, two of five with all the evidence that a real network's layers of
    128 channels carry.
    """
    layers = [
        factory.layer(f"layer_{at}", evidence=_evidence(Random(at), is_trained=at % 5 < 2))
        for at in range(200)
    ]
    return html.page(factory.document([factory.model(layers=layers)]))


def _evidence(random, is_trained):
    def line(count, write):
        return " ".join(write(random.gauss(0, 1)) for _ in range(count))

    residuals = {
        "inside": line(BINS, lambda value: f"{abs(value) * 1e5:.0f}"),
        "below": 0,
        "above": 0,
        "certain": 0,
        "every": 1,
    }
    channels = {
        "axis": "channel",
        "count": 128,
        "every": 1,
        "gain_u": line(128, "{:.3g}".format),
        "gain_limit_u": "2",
        "offset": line(128, lambda value: f"{value * 1e-6:.3g}"),
        "offset_limit": line(128, lambda value: f"{abs(value) * 1e-5:.3g}"),
    }
    rows = ["".join(random.choice("0123456789abcdef") for _ in range(57)) for _ in range(24)]
    mapped = {
        "mode": "isolated",
        "shape": [48, 342],
        "block": [2, 6],
        "least": 1.8e-4,
        "largest": 1.2e-3,
        "rows": rows,
    }
    return {
        "residuals": {"port": residuals, "original": residuals} if is_trained else None,
        "channels": channels if is_trained else None,
        "map": mapped,
    }


def many_clips():
    """Three models, 40 clips, ten tags each."""
    row = factory.model()["tags"][0]["top"][0]
    top = [
        {**row, "tag": f"tag {at}", "rank_expected": at + 1, "rank_actual": at + 1}
        for at in range(10)
    ]
    tags = [{"clip": f"clip {at}", "top": top, "swaps": [], "stability": 5.5} for at in range(40)]
    return html.page(
        factory.document([factory.model(name, tags=tags) for name in ("CRNN", "CNN0", "CNN")])
    )


def hostile_figures():
    """Networks whose names and figures leave charts no room: long, wide, tiny, huge, none at all."""
    figures = [0.0, 1e-323, 1e-299, 3e-17, 1.0, 4e12, 1e299, "inf", "nan", None]
    names = [
        f"{word}_{at}" for at in range(12) for word in ("a_long_name_of_a_layer" * 2, "音楽" * 9)
    ]
    models = []
    for name, count in (("few", 5), ("many", 24)):
        layers = [
            factory.layer(f"{at}_{each[:12]}" if count < 9 else each, evidence=_far(at))
            for at, each in enumerate(names[:count])
        ]
        for at, layer in enumerate(layers):
            keys = ("max_abs", "rms", "noise_rms", "rounding_rms")
            turned = (figures[(at * 3 + turn) % len(figures)] for turn in range(len(keys)))
            layer["chained"].update(zip(keys, turned, strict=True))
            layer["chained"]["share"] = (-1) ** at * 10.0 ** (at % 13)
        models.append(factory.model(name, layers=layers))
    beside = companions_factory.all_three()
    table = beside["investigation"]["questions"][0]["findings"][0]["evidence"][0]
    table["rows"] = [[names[at], figures[at % 10], figures[-1 - at % 10], True] for at in range(6)]
    run = factory.document(models)
    return html.page(run, **beside)


def three_networks():
    """Three networks of 28 layers with all that a run and its companions may say of them."""
    kinds = [factory.KINDS[at % len(factory.KINDS)] for at in range(28)]
    models = []
    for name in ("CRNN", "CNN0", "CNN"):
        layers = [
            factory.layer(
                f"{kind[0]}_{at}", *kind[1:], evidence=_evidence(Random(at), True),
                probed=factory.probed(),
            )
            for at, kind in enumerate(kinds)
        ]  # fmt: skip
        models.append(factory.model(name, layers=layers, probes=factory.probes()))
    return html.page(factory.document(models), **companions_factory.all_three())


def _far(at):
    """Evidence far beyond its limits, of axes with a long name and many places."""
    found = _evidence(Random(at), is_trained=True)
    found["channels"]["axis"] = "a very long name of an axis " * (1 + at % 2)
    found["channels"]["every"] = 10 ** (at % 6)
    found["channels"]["count"] = 128 * 10 ** (at % 6)
    for key, value in (("gain_u", 3.0), ("offset", 1.0)):
        found["channels"][key] = " ".join([f"{value * 10.0 ** (at % 30):.3g}"] * 128)
    return found


PAGES = {
    **{name: lambda make=make: html.page(make()) for name, make in factory.EVERY.items()},
    **{
        make.__name__: make
        for make in (
            *(companioned, audited, clean, stand_ins, comparison, many_layers, many_clips),
            *(hostile_figures, three_networks),
        )
    },
}
