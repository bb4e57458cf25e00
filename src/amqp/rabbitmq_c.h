#pragma once

// rabbitmq-c's headers, of which the codec is used. As of 0.12 they have a folder of their own.

#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif
