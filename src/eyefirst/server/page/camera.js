// The camera: a live picture in a dialog, or the phone's own camera.

import { $, make, Problem, showError } from "./shared.js";

const CAMERA = { name: "Camera" };
let stream = null;
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) { $("snap").click(); return; }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 4096 } } });
  } catch (error) {
    showError(CAMERA, new Problem(`The camera cannot be used (${error.name}).`, "Allow it in the browser, or choose a picture."));
    return;
  }
  $("video").srcObject = stream;
  await $("video").play();
  $("camera-dialog").showModal();
}
export async function shoot(take) {
  const video = $("video"), canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise(done => { canvas.toBlob(done, "image/jpeg", .92); });
  $("camera-dialog").close();
  take([new File([blob], "camera.jpg", { type: "image/jpeg" })]);
}
$("camera-dialog").addEventListener("close", () => { stream?.getTracks().forEach(t => t.stop()); stream = null; });
