export function App() {
  return <main>graphengine</main>;
}
