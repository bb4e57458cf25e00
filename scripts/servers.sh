# shellcheck shell=bash
# For private-rabbitmq and private-postgres: ports, and processes that outlive the script that
# started them. To be sourced.
#
# A process is kept as a file that holds its id and its start time, so that an id that the system
# has given to another process since is never taken for ours.

fail() {
  echo "${0##*/}: $*" >&2
  exit 1
}

port_is_taken() { # PORT: whether something listens there on loopback
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A process that was killed is a zombie, and so has ended, before its last thread lets go of its
# sockets.
port_gets_free() { # PORT
  for _ in {1..50}; do
    port_is_taken "$1" || return 0
    sleep 0.1
  done
  return 1
}

# Below the ports that the kernel hands out to clients (ip_local_port_range). Test processes that run
# beside each other (pytest-xdist's gw0, gw1, ...) take theirs from different ranges: a server that
# is down for a moment finds its port free again.
free_port() {
  local port worker=${PYTEST_XDIST_WORKER:-gw0}
  for _ in {1..100}; do
    port=$((20000 + ${worker#gw} % 4 * 2500 + RANDOM % 2500))
    if ! port_is_taken "$port"; then
      echo "$port"
      return
    fi
  done
  fail "no free port between 20000 and 29999"
}

start_time() { # PID: in clock ticks since boot (proc(5), stat, field 22); nothing if it has ended
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) } # the name before it may hold anything
  [ "${stat%% *}" != Z ] || return 1
  echo "$stat" | cut -d' ' -f20
}

remember() { # PID FILE
  echo "$1 $(start_time "$1" || echo ended)" >"$2"
}

alive() { # FILE: whether that process runs still; its id is in $pid then
  local started
  read -r pid started 2>/dev/null <"$1" || return 1
  [ "$(start_time "$pid")" = "$started" ]
}

ends_within() { # SECONDS FILE
  local tries=$(($1 * 10))
  while alive "$2"; do
    [ $((tries--)) -gt 0 ] || return 1
    sleep 0.1
  done
}

end_process() { # FILE SIGNAL SECONDS: sends the signal, and SIGKILL if that does not end it in time
  alive "$1" || return 0
  kill "-$2" "$pid" 2>/dev/null || true
  if ! ends_within "$3" "$1"; then
    alive "$1" && kill -KILL "$pid" 2>/dev/null
    ends_within 10 "$1" || fail "process $pid does not end"
  fi
  rm -f "$1"
}

# Runs a command once the owner has ended, however it ended, unless the server ends before.
stop_with_owner() { # OWNER_PID SERVER_FILE COMMAND...
  local owner=$1 server=$2 owner_file=${2%.pid}.owner
  shift 2
  remember "$owner" "$owner_file"
  (
    trap '' HUP INT TERM # whatever the owner's terminal sends to the owner
    exec </dev/null >/dev/null 2>&1
    while alive "$owner_file"; do
      alive "$server" || exit 0
      sleep 0.5
    done
    exec "$@"
  ) &
  remember "$!" "${server%.pid}.watch"
}

# The watch must not stop a server that was started again; but it may be the one who asks.
end_watch() { # SERVER_FILE
  local watch=${1%.pid}.watch
  if alive "$watch" && [ "$pid" != $$ ]; then
    end_process "$watch" KILL 5
  fi
}
