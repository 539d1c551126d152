#!/bin/sh
# What `make demo` runs: the commands a user would type, on a synthetic data set.
set -eu

step() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

if [ -d "$SETGF_HOME" ]; then
    setgf worker stop --now >/dev/null 2>&1 || true
    rm -rf "$SETGF_HOME"
fi

printf 'Everything of this demo lives in %s\n' "$SETGF_HOME"
step setgf data synth --name demo --dataset mosi --samples 240
step setgf queue add --data demo --model setgf,self_mm,text_only --seeds 1111-1112 --set max_epochs=5
step setgf worker start --drain --detach --slots 2

if [ -t 0 ] && [ -t 1 ]; then
    step setgf tui --until-idle
else
    step setgf watch --until-idle
fi

step setgf compare --data demo
printf '\nLook again:  SETGF_HOME=%s setgf tui\n' "$SETGF_HOME"
