#!/bin/sh
# Renders some frames of a .blend with the Cine3D engine: render-chunk.sh FILE.blend FIRST LAST [OUT]
#
# OUT is Blender's output path (//frames/####); without it the file's own is used. Frames that are
# there already are left out where the file says so (Output > Overwrite off). A machine without the
# add-on, or without a Python for its worker, fails with a sentence instead of giving wrong frames.
# BLENDER names the program; CINE3D_WORKER_PYTHON the worker's Python.
set -eu

if [ "$#" -lt 3 ]; then
    echo "usage: render-chunk.sh FILE.blend FIRST LAST [OUT]" >&2
    exit 2
fi
blend=$1 first=$2 last=$3 out=${4:-}

case "$first$last" in
    *[!0-9]*) echo "the frames $first and $last are no numbers" >&2; exit 2 ;;
esac
if [ ! -f "$blend" ]; then
    echo "there is no file $blend; farms need a path that all machines see" >&2
    exit 2
fi

check="import bpy, sys
bpy.context.scene.render.engine == 'CINE3D' or sys.exit('the Cine3D engine is missing here')"

set -- --background "$blend" --python-exit-code 1 --python-expr "$check"
if [ -n "$out" ]; then
    set -- "$@" --render-output "$out"
fi
exec "${BLENDER:-blender}" "$@" --frame-start "$first" --frame-end "$last" --render-anim
