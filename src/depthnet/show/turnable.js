// Turns the points of each .turn of the page: drag or arrow keys turn, the wheel or +/- come nearer, 0 goes back.
"use strict";
for (const box of document.querySelectorAll(".turn")) {
  const facts = JSON.parse(box.dataset.facts);
  const canvas = document.createElement("canvas");
  const gl = canvas.getContext("webgl", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) continue; // the picture stays
  const text = atob(box.querySelector("template").content.textContent);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const image = box.querySelector("img");
  canvas.width = 2 * facts.width;
  canvas.height = 2 * facts.height;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", image.alt);
  image.replaceWith(canvas);

  const program = gl.createProgram();
  const sources = [
    [gl.VERTEX_SHADER, `
      attribute vec3 place;
      attribute vec3 colour;
      uniform mat3 turn;
      uniform float scale, distance, focal, aspect, spacing;
      varying vec3 shown;
      void main() {
        vec3 seen = turn * place * scale;
        float away = distance - seen.z;
        gl_Position = vec4(2.0 * focal * seen.x / aspect, 2.0 * focal * seen.y, away - 0.05 * distance, away);
        gl_PointSize = max(1.0, spacing * clamp(distance / max(away, 0.001), 1.0, 1.6));
        shown = colour;
      }`],
    [gl.FRAGMENT_SHADER, "precision mediump float; varying vec3 shown; void main() { gl_FragColor = vec4(shown, 1.0); }"],
  ];
  for (const [kind, source] of sources) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const fill = (name, content, kind) => {
    const at = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, content, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, 3, kind, true, 0, 0);
  };
  fill("place", bytes.slice(0, 6 * facts.count), gl.SHORT);
  fill("colour", bytes.slice(6 * facts.count), gl.UNSIGNED_BYTE);
  gl.enable(gl.DEPTH_TEST);
  gl.clearColor(1, 1, 1, 1);

  let right, up, near;
  const set = (name, value) => gl.uniform1f(gl.getUniformLocation(program, name), value);
  const draw = () => {
    const [a, b] = [right, up].map((degrees) => (degrees * Math.PI) / 180);
    const [c, s, d, t] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
    // The columns of tilt * turn, as in show/cloud.py.
    const turn = [c, -t * s, d * s, 0, d, t, -s, -t * c, d * c];
    gl.uniformMatrix3fv(gl.getUniformLocation(program, "turn"), false, turn);
    set("scale", facts.scale);
    set("distance", facts.distance * near);
    set("focal", facts.focal);
    set("aspect", facts.width / facts.height);
    set("spacing", 1.2 * Math.sqrt((canvas.width * canvas.height) / facts.count));
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.drawArrays(gl.POINTS, 0, facts.count);
    box.dataset.view = `${right.toFixed(1)} ${up.toFixed(1)} ${near.toFixed(3)}`;
  };
  const move = (dx, dy, factor) => {
    right += dx;
    up = Math.max(-89, Math.min(89, up + dy));
    near = Math.max(0.05, Math.min(20, near * factor));
    requestAnimationFrame(draw);
  };
  const reset = () => {
    [right, up, near] = [facts.right, facts.up, 1];
    requestAnimationFrame(draw);
  };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) move(-0.3 * event.movementX, 0.3 * event.movementY, 1);
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    move(0, 0, Math.exp(0.001 * event.deltaY));
  }, { passive: false });
  canvas.addEventListener("dblclick", reset);
  canvas.addEventListener("keydown", (event) => {
    const moves = {
      ArrowLeft: [-5, 0, 1], ArrowRight: [5, 0, 1], ArrowUp: [0, 5, 1], ArrowDown: [0, -5, 1],
      "+": [0, 0, 0.9], "-": [0, 0, 1.1],
    };
    if (event.key === "0") reset();
    else if (moves[event.key]) move(...moves[event.key]);
    else return;
    event.preventDefault();
  });
  reset();
}
