"""Write the blocks of the documents, one function for each (see tables.py)."""

from typing import Any

from .bench_tables import bench
from .common import RESULTS
from .figures import (
    ceil,
    floor,
    item,
    minutes,
    paragraph,
    parameters,
    percent,
    result,
    seconds,
    table,
)
from .shakespeare_tables import NANOGPT, shakespeare_nats, shakespeare_speed

# Published by others.
LIUM = "A GRU with attention of 4.6 M parameters is published with 38.1 (Caglayan et al. 2017)."
NEURALTALK = ("57.9", "38.3", "24.5", "16.0")  # Karpathy and Fei-Fei 2015, arXiv 1412.2306


def readme() -> str:
    """Summarise quality and speed."""
    large, speeds = result("shakespeare-large"), result("bench")["results"]
    nats = large["nats"]
    sst2, tags, fashion = (
        percent(result(f"labelled-{name}")["test"]["accuracy"])
        for name in ("sst2", "ud_ewt", "fashion_rows")
    )
    translation = result("translate-attention")
    return table(
        ("task", "result"),
        (
            f"tiny Shakespeare, LSTM 1x512, {parameters(large['parameters'])} parameters, after "
            f"{minutes(large['best']['wall_s'])}",
            f"{ceil(nats['test']['carried'], 3)} nats per character on the test part; "
            f"{ceil(nats['whole']['window_256'], 3)} in windows of 256 over the "
            f"last 10 % (nanoGPT: {NANOGPT})",
        ),
        (
            "training, compared with the fastest of torch, Flax and Keras, "
            f"{len(_of('training', speeds))} shapes",
            _range(_of("training", speeds)),
        ),
        (
            "sampling, compared with ONNX Runtime, one text at a time",
            _range(_of("sampling", speeds)),
        ),
        (
            "test accuracy: SST-2 sentences; UD-EWT tags; Fashion-MNIST by rows",
            f"{sst2}; {tags}; {fashion}",
        ),
        (
            f"Multi30k English to German, {parameters(translation['parameters'])} parameters",
            f"{floor(translation['test']['beam_5']['bleu'], 1)} BLEU",
        ),
        (
            "Flickr8k captions, beam of 3",
            f"BLEU-4 {floor(100 * result('caption-attention')['val']['beam_3']['bleu4'], 1)}",
        ),
    )


def _of(kind: str, results: list[Any]) -> list[float]:
    return [one["ratio"] for one in results if one["kind"] == kind]


def _range(ratios: list[float]) -> str:
    return f"{floor(min(ratios), 2)} to {floor(max(ratios), 2)} times as fast"


def machines() -> str:
    """List the results by the processor that they were measured on."""
    by_machine: dict[str, list[str]] = {}
    for path in sorted(RESULTS.glob("*.json")):
        origin = result(path.stem)["origin"]
        by_machine.setdefault(f"{origin['cpu']}, cores: {origin['cores']}", []).append(path.stem)
    return "".join(item(f"{cpu}: {', '.join(names)}.") for cpu, names in by_machine.items())


def start_and_memory() -> str:
    """Say how soon the first character appears, and what a large text costs in memory."""
    start, texts = result("start_up"), result("memory")["texts"]
    small, large = texts[0], texts[-1]
    more = large["at_the_end"] - small["at_the_end"]
    return paragraph(
        f"`unspool sample` prints its first character {ceil(start['cold_s'], 1)} s after it "
        f"starts, {ceil(start['warm_s'], 1)} s if its programs are compiled already. Training on "
        f"a text of {large['text_mb']} MB takes {ceil(more)} MiB more memory than on one of "
        f"{small['text_mb']} MB."
    )


def weights() -> str:
    """Tabulate the loss with weights of fewer bits."""
    found = result("weights-gru")["by_type"]
    return table(
        ("`--preset small`", *found),
        ("nats on the held-out part", *(ceil(one["val_loss_nats"], 6) for one in found.values())),
    )


LABELLED = {
    "sst2": "SST-2 sentences, `train classify`",
    "names": "names of 18 languages, a fifth held out, `train classify --tokens char`",
    "ud_ewt": "UD-EWT universal tags, `train tag`",
    "japanese_vowels": "JapaneseVowels, `train classify`",
    "digits_rows": "scikit-learn's digits by rows, a fifth held out, `train classify`",
    "digits_glimpses": "the same in six glimpses, `train glimpse`",
    "fashion_rows": "Fashion-MNIST by rows (batches of 128, 4,000 steps)",
    "fashion_glimpses": "the same in six glimpses of 8x8 pixels, twice and four times as wide",
}


def labels() -> str:
    """Tabulate test accuracies."""
    return table(
        ("", "test accuracy", "macro F1", "training"),
        *(_labels_row(title, result(f"labelled-{name}")) for name, title in LABELLED.items()),
    )


def _labels_row(title: str, found: Any) -> tuple[str, ...]:
    test = found["test"]
    f1 = floor(test["macro_f1"], 3) if "macro_f1" in test else ""
    return title, percent(test["accuracy"]), f1, seconds(found["train_s"])


TRANSLATORS = {
    "attention": "`train translate`, attention of Luong",
    "plain": "the same through one vector, `--attention none --hidden 512 --max-steps 5500`",
}


def translation() -> str:
    """Tabulate BLEU on Multi30k."""
    return (
        table(
            ("", "parameters", "BLEU, beam of 5", "greedy", "training"),
            *(_bleu(title, result(f"translate-{name}")) for name, title in TRANSLATORS.items()),
        )
        + "\n"
        + LIUM
        + "\n"
    )


def _bleu(title: str, found: Any) -> tuple[str, ...]:
    scores = (floor(found["test"][f"beam_{beams}"]["bleu"], 1) for beams in (5, 1))
    return title, parameters(found["parameters"]), *scores, minutes(found["train_s"])


def translation_speed() -> str:
    """Compare with the same model in torch."""
    luong, bahdanau = (result(f"translate_speed-{name}") for name in ("luong", "bahdanau"))
    decoding, one, many = luong["decoding"], "torch, one by one", "torch, batches of 32"
    sentences = f"{decoding['sentences']:,}"
    rows = [
        (
            title,
            *(floor(decoding[key]["ratio"][name], 1) for name in (one, many)),
            f"{decoding[key]['same_as_unspool'][one]:,} of {sentences}",
        )
        for key, title in (("beam_1", "greedy"), ("beam_5", "beam of 5"))
    ]
    speeds = table(
        ("decoding", "times as fast as torch, one by one", "in batches of 32", "same translations"),
        *rows,
    )
    training = (
        f"Training is {floor(luong['training']['ratio'], 2)} times as fast as that of the same "
        f"model in torch; with Bahdanau's attention, {floor(bahdanau['training']['ratio'], 2)} "
        "times."
    )
    return f"{speeds}\n{paragraph(training)}"


def captions() -> str:
    """Tabulate scores on Flickr8k's validation part."""
    found = result("caption-attention")
    names = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "cider")
    rows = [
        (title, *(floor(100 * found["val"][key][name], 1) for name in names))
        for key, title in (("beam_3", "`train caption`, beam of 3"), ("beam_1", "greedy"))
    ]
    took = found["whole_s"]
    long = f"Training took {minutes(took or found['train_s'])}" + (
        ", features included" * bool(took)
    )
    return (
        table(
            ("", "BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"),
            *rows,
            ("published: NeuralTalk (its test part)", *NEURALTALK, "", ""),
        )
        + f"\n{long}.\n"
    )


def caption_speed() -> str:
    """Say how many captions are made a second, and how good the demo gets."""
    found, demo = result("caption_speed"), result("caption_demo")
    ratio, same = found["ratio"], found["same_as_unspool"]
    one, many = "torch, one by one", "torch, batches of 32"
    return paragraph(
        f"A beam of {found['beams']} makes {floor(found['captions_per_s']['unspool'])} captions a "
        f"second from features, {floor(ratio[one], 1)} times as many as a plain torch loop over "
        f"the same decoder ({floor(ratio[many], 1)} times as many as one in batches of 32); "
        f"{same[one]} of {found['pictures']} captions are the same. From image files it makes "
        f"{floor(found['from_files_per_s'])}, which includes decoding them and EfficientNet. "
        f"`unspool demo caption` described {demo['exact']} of {demo['pictures']} new pictures "
        f"exactly after {demo['minutes']:g} minutes of training."
    )


def caption_examples() -> str:
    """Show captions of some pictures."""
    return table(
        ("file", "caption", "what the picture shows"),
        *(one.values() for one in result("caption-attention")["examples"]),
    )


def sst2_speed() -> str:
    """Compare with torch and its packed sequences."""
    found = [result(f"sst2_speed-{name}") for name in ("gru-32", "lstm-32", "gru-64")]
    return table(
        ("", *(f"{one['cell'].upper()}, batches of {one['batch']}" for one in found)),
        ("tokens a second", *(f"{one['tokens_per_s']['unspool']:,}" for one in found)),
        ("times as fast as torch", *(floor(one["ratio"], 2) for one in found)),
    )


def cells() -> str:
    """Tabulate the best unit for each annotation of C source."""
    found = result("cells")
    intro = (
        f"An LSTM of 2x256 units after {_minutes_of(found)} minutes on the source of Linux "
        f"(`kernel/`, {found['text_bytes'] / 1e6:.1f} MB; "
        f"{ceil(found['val_loss_nats'], 3)} nats), on the {found['held_out_chars']:,} characters "
        f"held out; {found['auc_of_0.9']} annotations have a unit with an AUC of 0.9 or more:"
    )
    rows = [
        (score["annotation"], f"{score['layer']}, {score['cell']}", _score(score),
         ceil(score["control"], 2), ceil(score["p"], 2) if "p" in score else "")
        for score in found["best"]
    ]  # fmt: skip
    units = table(("annotation", "layer, unit", "score", "by chance", "p"), *rows)
    earlier = "" if "p" in found["best"][0] else "\nMeasured earlier: three shifts, no p.\n"
    return f"{paragraph(intro)}\n{units}{earlier}"


def _minutes_of(found: Any) -> str:
    (line,) = (line for line in found["options"] if line.startswith("max_minutes"))
    return f"{float(line.split('=')[1]):g}"


def _score(score: Any) -> str:
    if "auc" in score:
        return f"AUC {floor(score['auc'], 3)}, {'high' if score['direction'] > 0 else 'low'}"
    correlation = score["correlation"]
    return f"ρ {'-' * (correlation < 0)}{floor(abs(correlation), 2)}"


def cells_speed() -> str:
    """Say how long scoring takes."""
    found = result("cells")
    return paragraph(
        f"This command takes {seconds(found['seconds'])} for {found['chars']:,} characters."
    )


def gradients() -> str:
    """Say how much of a gradient is left after each step back."""
    found = result("gradients")
    factors = {
        f"{line['model'].split(',')[0]} ({line['quantity']})": floor(line["factor"], 2)
        for line in found["lines"]
    }
    kept = ", ".join(f"{name} {factor}" for name, factor in factors.items())
    return paragraph(
        f"In untrained cells of {found['hidden']} units, this share of the norm is left after each "
        f"step back: {kept}."
    )


def studio() -> str:
    """Say how fast the studio is in a browser."""
    page, views = result("studio"), result("studio_views")
    flow, colour = page["streaming"], views["colour"]
    return paragraph(
        "Measured in headless Chromium (no GPU): first paint after "
        f"{ceil(page['median_first_paint_ms'])} ms; {flow['tokens']:,} characters of an LSTM of "
        f"2x256 streamed at {floor(flow['tokens_per_s'])} a second, with at most "
        f"{ceil(flow['longest_gap_ms'])} ms between two changes; choosing another unit recolours "
        f"{views['tokens']:,} characters in {ceil(colour['script_ms_median'], 1)} ms of script "
        f"(median; at most {ceil(colour['script_ms_most'], 1)} ms) and one frame."
    )


BLOCKS = {
    function.__name__: function
    for function in (
        readme, machines, shakespeare_speed, shakespeare_nats, start_and_memory, bench, weights,
        labels, translation, translation_speed, captions, caption_speed, caption_examples,
        sst2_speed, cells, cells_speed, gradients, studio,
    )
}  # fmt: skip
