"""The pages that the browser is shown: every kind of run, with companions, compared, and long."""

from reports import compared, html
from tests.reports import companions_factory, factory


def companioned():
    """A failing run with everything beside it."""
    return html.page(factory.failing(), **companions_factory.all_three())


def audited():
    """One failing model with everything beside it: every kind of section and card, few of each."""
    run = factory.failing()
    return html.page({**run, "models": run["models"][:1]}, **companions_factory.all_three())


def stand_ins():
    """One model on seeded stand-ins."""
    return html.page(factory.document([factory.model("CNN", data="seeded")], data="seeded"))


def comparison():
    """A clean run and a failing one."""
    return compared.page(compared.compare(factory.document(), factory.failing()))


def many_layers():
    """One model of 200 layers."""
    return html.page(factory.document([factory.model(layers=[factory.layer(f"layer_{at}") for at in range(200)])]))


def many_clips():
    """Three models, 40 clips, ten tags each."""
    row = factory.model()["tags"][0]["top"][0]
    top = [{**row, "tag": f"tag {at}", "rank_expected": at + 1, "rank_actual": at + 1} for at in range(10)]
    tags = [{"clip": f"clip {at}", "top": top, "swaps": [], "stability": 5.5} for at in range(40)]
    return html.page(factory.document([factory.model(name, tags=tags) for name in ("CRNN", "CNN0", "CNN")]))


PAGES = {**{name: lambda make=make: html.page(make()) for name, make in factory.EVERY.items()},
         **{make.__name__: make for make in (companioned, audited, stand_ins, comparison, many_layers, many_clips)}}
