"""What a SuperNode runs: one member, whose number is in the node's configuration."""

from pathlib import Path

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from federated_app.server import OF_THE_APP
from keras_snnkd.federated import OutputMember, WeightMember
from keras_snnkd.federated.setting import Setting

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """One round of the member."""
    config = message.content["config"]
    setting = Setting.from_config({key: value for key, value in context.run_config.items() if key not in OF_THE_APP})
    member = int(context.node_config["member"])
    folder = Path(str(context.run_config["folder"])) / f"member_{member}"
    number = int(config["round"])
    answer = RecordDict()
    if setting.exchange == "outputs":
        packet = OutputMember(setting, member, folder).round(number, config.get("consensus") or None)
        answer["answer"] = ConfigRecord({"packet": packet})
    else:
        weights, count = WeightMember(setting, member, folder).round(number, message.content["weights"].to_numpy_ndarrays())
        answer["weights"] = ArrayRecord(weights)
        answer["answer"] = ConfigRecord({"count": count})
    return Message(content=answer, reply_to=message)
