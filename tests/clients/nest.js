// 100 orders for one product through NestJS's ClientProxy; prints how many were accepted.
//
//   node nest.js QUEUE PRODUCT
const { ClientProxyFactory, Transport } = require("@nestjs/microservices");
const { lastValueFrom } = require("rxjs");

const [queue, product] = process.argv.slice(2);

async function main() {
  const orders = ClientProxyFactory.create({
    transport: Transport.RMQ,
    options: {
      urls: [process.env.AMQP_URL],
      queue,
      noAssert: true,
      serializer: { serialize: (packet) => packet.data },
      deserializer: { deserialize: (response) => ({ response, isDisposed: true }) },
    },
  });
  const send = (n) =>
    lastValueFrom(orders.send("order", { order_id: `nest ${n}`, product_id: Number(product), quantity: 1 }));
  const answers = await Promise.all([...Array(100).keys()].map(send));
  await orders.close();
  console.log(answers.filter((answer, n) => answer.success && answer.order_id === `nest ${n}`).length);
}

main();
