from benchmarks import compression


def row(words, taught, accuracy):
    operations = {"effective_acs": 10.0, "effective_macs": 5.0}
    costs = {"connection_sparsity": 0.5, "compressed_bytes": 2000, "synaptic_operations": operations, "energy": {"effective": 1.5}}
    return {"words": words, "taught": taught, "accuracy": accuracy, **costs}


def test_seeds_of_an_arm_are_one_line_and_arms_stay_apart():
    rows = [row("the student", None, 0.9), row("int8", True, 0.8), row("int8", True, 0.9), row("int8", False, 0.7)]
    lines = compression.table(rows).splitlines()[2:]
    assert lines[0] == "| the student |  | 90.00 | 50.0 % | 2.00 kB | 15 | 1.50 nJ |"
    assert lines[1].startswith("| int8 | the student before | 85.00 ± 7.07 |")
    assert lines[2].startswith("| int8 | labels alone | 70.00 |")
