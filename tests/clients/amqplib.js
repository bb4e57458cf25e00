// 100 orders for one product through amqplib; prints how many of the answers are what they should be.
//
//   node amqplib.js direct|queue|confirms QUEUE PRODUCT
const amqp = require("amqplib");

const [how, queue, product] = process.argv.slice(2);
const count = 100;

async function main() {
  const connection = await amqp.connect(process.env.AMQP_URL);
  const channel = await (how === "confirms"
    ? connection.createConfirmChannel()
    : connection.createChannel());
  const replyTo =
    how === "direct" ? "amq.rabbitmq.reply-to" : (await channel.assertQueue("", { exclusive: true })).queue;
  const answers = new Map();
  const all = new Promise((resolve, reject) => {
    channel.on("error", reject);
    channel.consume(
      replyTo,
      (reply) => {
        answers.set(reply.properties.correlationId, JSON.parse(reply.content));
        if (answers.size === count) resolve();
      },
      { noAck: true },
    );
  });
  for (let n = 0; n < count; n++) {
    const order = { order_id: `${how} ${n}`, product_id: Number(product), quantity: 1 };
    channel.sendToQueue(queue, Buffer.from(JSON.stringify(order)), { replyTo, correlationId: String(n) });
  }
  if (how === "confirms") await channel.waitForConfirms();
  await all;
  await connection.close();
  const fits = (n) => answers.get(String(n)).success && answers.get(String(n)).order_id === `${how} ${n}`;
  console.log([...Array(count).keys()].filter(fits).length);
}

main();
