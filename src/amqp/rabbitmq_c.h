#pragma once

// rabbitmq-c's headers, for its codec. As of 0.12 they are in a folder of their own.

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif
