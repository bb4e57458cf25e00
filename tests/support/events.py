"""What a listener to the service's events knows (docs/contract.md, Events)."""

import json

KEYS = ("stock.*", "hold.expired", "item.added")


class Cache:
    """Keeps the event with the highest version of each product, and those of holds and items.

    Raises if an event is not as in the contract. An event may come several times.
    """

    def __init__(self):
        self.newest = {}  # data by product
        self.expired = []  # data of each hold
        self.added = {}  # data by product
        self.by_id = {}  # (routing key, event without its time) by id

    def hear(self, key, properties, body):
        event = json.loads(body)
        assert event["id"] == properties.message_id
        assert event["specversion"] == "1.0" and event["source"] == "inventory-service"
        assert properties.content_type == "application/cloudevents+json"
        assert properties.delivery_mode == 2
        del event["time"]
        if event["id"] in self.by_id:
            before = self.by_id[event["id"]]
            assert before == (key, event), f"two events with one id: {before}, {(key, event)}"
            return event["data"]
        self.by_id[event["id"]] = (key, event)
        data = event["data"]
        if key == "hold.expired":
            self.expired.append(data)
        elif key == "item.added":
            self.added[data["id"]] = data
        else:
            assert key == f"stock.{data['level']}"
            earlier = self.newest.get(data["product_id"])
            if earlier is None or data["version"] > earlier["version"]:
                self.newest[data["product_id"]] = data
        return data
