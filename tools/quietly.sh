#!/bin/sh
# Runs a command without a word. If it fails: its warnings and errors, or the end of what
# it said, and for the causes that we know one sentence that says what to do.
said=$("$@" 2>&1) && exit 0
status=$?
if found=$(echo "$said" | grep -E 'WARNING|ERROR|Error'); then
  echo "$found" >&2
else
  echo "$said" | tail -n 30 >&2
fi
case $said in
  *"No space left on device"* | *ENOSPC*)
    echo "The disk is full: free some space (the README says how much is needed), then run the same command again." ;;
  *"Temporary failure in name resolution"* | *"Name or service not known"* | *"Failed to establish a new connection"* | *"Network is unreachable"* | *EAI_AGAIN* | *ENOTFOUND*)
    echo "The package index cannot be reached: check the network, then run the same command again; what has come is kept." ;;
  *"Permission denied"* | *EACCES*)
    echo "You may not write there: $(pwd) belongs to $(ls -ld . | awk '{print $3}'). Clone the book into a folder of your own." ;;
esac >&2
exit $status
