# 100 orders for one product through Bunny; prints how many of the answers are what they should be.
#
#   ruby bunny.rb direct|queue|confirms QUEUE PRODUCT
require "bunny"
require "json"

how, queue, product = ARGV
count = 100
connection = Bunny.new(ENV.fetch("AMQP_URL")).start
channel = connection.create_channel
channel.confirm_select if how == "confirms"
reply_to = how == "direct" ? "amq.rabbitmq.reply-to" : channel.queue("", exclusive: true).name
replies = Queue.new
channel.basic_consume(reply_to, "", true) do |_delivery, properties, body|
  replies << [properties.correlation_id, JSON.parse(body)]
end
count.times do |n|
  order = { order_id: "#{how} #{n}", product_id: product.to_i, quantity: 1 }.to_json
  channel.default_exchange.publish(order, routing_key: queue, reply_to: reply_to, correlation_id: n.to_s)
end
abort "not confirmed" if how == "confirms" && !channel.wait_for_confirms
answers = count.times.to_h { replies.pop }
connection.close
puts(count.times.count { |n| answers[n.to_s]["success"] && answers[n.to_s]["order_id"] == "#{how} #{n}" })
