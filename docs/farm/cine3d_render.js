// A Flamenco job type: the frames of a .blend in chunks, each refused where Cine3D is missing.
// Copy it into the "scripts" folder beside the Flamenco Manager and restart the Manager.
const JOB_TYPE = {
    label: "Cine3D Render",
    settings: [
        { key: "frames", type: "string", required: true,
          eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
          description: "Frame range, such as 1-60 or 3,5-10" },
        { key: "chunk_size", type: "int32", default: 10, visible: "submission",
          description: "Frames that one machine renders at a time; a scene is loaded once a chunk" },
        { key: "render_output_path", type: "string", subtype: "file_path", required: true,
          eval: "bpy.path.abspath(C.scene.render.filepath)",
          description: "Blender's output path, such as /shared/frames/######" },
        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "Path of the .blend, which all machines see" },
    ],
};

const CHECK = "import bpy, sys\n" +
    "bpy.context.scene.render.engine == 'CINE3D' or sys.exit('the Cine3D engine is missing here')";

function compileJob(job) {
    const settings = job.settings;
    for (let chunk of frameChunker(settings.frames, settings.chunk_size)) {
        const task = author.Task(`render-${chunk}`, "blender");
        task.addCommand(author.Command("blender-render", {
            exe: "{blender}",
            exeArgs: "{blenderArgs}",
            argsBefore: ["--python-exit-code", "1"],
            blendfile: settings.blendfile,
            args: [
                "--python-expr", CHECK,
                "--render-output", settings.render_output_path,
                // Flamenco writes 1-10, Blender 1..10
                "--render-frame", chunk.replaceAll("-", ".."),
            ],
        }));
        job.addTask(task);
    }
}
