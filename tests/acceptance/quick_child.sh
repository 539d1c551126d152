#!/bin/sh
# A child that has succeeded as soon as it has started: --run FOLDER --attempt N --home HOME ...
set -e
while [ $# -gt 1 ]; do
    case $1 in
        --run) run=$2 ;;
        --attempt) attempt=$2 ;;
    esac
    shift 2
done
at=$(date +%s.%N)
events="{\"at\": $at, \"kind\": \"started\", \"resume_step\": 0, \"parameters\": 1, \"device\": \"cpu\"}
{\"at\": $at, \"kind\": \"finished\", \"best_epoch\": 1, \"best_valid\": 1.0, \"epochs\": 1, \"steps\": 1, \"metrics\": {}, \"weights_sha256\": \"0\"}"
printf '%s\n' "$events" >> "$run/a$attempt/events.jsonl"
