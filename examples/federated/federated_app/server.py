"""What the SuperLink runs: round after round, with the members that answer in time."""

import time
from pathlib import Path

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from keras_snnkd.federated import OutputRounds, WeightRounds
from keras_snnkd.federated.setting import Setting

OF_THE_APP = ("folder", "patience")
"""What of the run's configuration is no setting of the federation."""

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """All rounds that are not done yet."""
    folder = Path(str(context.run_config["folder"]))
    setting = Setting.from_config({key: value for key, value in context.run_config.items() if key not in OF_THE_APP})
    patience = float(str(context.run_config["patience"]))
    rounds = (OutputRounds if setting.exchange == "outputs" else WeightRounds)(setting, folder)
    _gather(grid, setting.members, patience)
    while rounds.next <= setting.rounds:
        nodes = list(grid.get_node_ids())
        sent = rounds.message()
        replies = list(grid.send_and_receive([_message(rounds, sent, node) for node in nodes], timeout=patience))
        answers = [reply.content for reply in replies if not reply.has_error()]
        if setting.exchange == "outputs":
            packets = [bytes(answer["answer"]["packet"]) for answer in answers]
            used = rounds.put_together(packets)
            sizes = [len(sent or b"")] * len(packets), [len(packet) for packet in packets]
        else:
            found = [(answer["weights"].to_numpy_ndarrays(), int(answer["answer"]["count"])) for answer in answers]
            used = rounds.put_together(found)
            size = sum(array.nbytes for array in sent)
            sizes = [size] * len(found), [sum(array.nbytes for array in weights) for weights, _ in found]
        row = rounds.finish(*sizes, lost=setting.members - used)
        print(f"round {row['round']}: accuracy {row['accuracy']:.2%}, {row['bytes_sent'] + row['bytes_received']:,} bytes, "
              f"{row['lost']} lost", flush=True)  # fmt: skip


def _gather(grid: Grid, members: int, patience: float) -> None:
    """Wait for the members to come, as long as a round would."""
    last = time.monotonic() + patience
    while len(list(grid.get_node_ids())) < members and time.monotonic() < last:
        time.sleep(0.5)


def _message(rounds: OutputRounds | WeightRounds, sent: object, node: int) -> Message:
    content = RecordDict({"config": ConfigRecord({"round": rounds.next})})
    if isinstance(rounds, OutputRounds):
        content["config"]["consensus"] = sent or b""
    else:
        content["weights"] = ArrayRecord(sent)
    return Message(content=content, message_type="train", dst_node_id=node)
